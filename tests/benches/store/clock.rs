//! Clocks: CPU time of the process, and wall time of many small things.

use std::time::{Duration, Instant};

use cx_tests::agreement::float;

use crate::figure::Figure;

/// CPU and wall time of what was measured so far.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    pub(crate) cpu: f64,
    pub(crate) wall: f64,
}

impl Clock {
    /// Runs something while the clock runs.
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let (cpu, wall) = (cpu_seconds(), Instant::now());
        let done = work();
        self.cpu += cpu_seconds() - cpu;
        self.wall += wall.elapsed().as_secs_f64();
        done
    }
}

/// User and system time of the process and all its threads, in seconds, to the hundredth; the
/// wall's where the system does not tell.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Fields 14 and 15, counted behind the name, which may have spaces; in ticks of 10 ms.
    let behind = stat.rsplit(')').next().unwrap();
    let ticks: u64 =
        behind.split_whitespace().skip(11).take(2).map(|n| n.parse::<u64>().unwrap()).sum();
    float(ticks) / 100.0
}

/// How long each of many things took.
#[derive(Debug, Default)]
pub(crate) struct Laps(Vec<Duration>);

impl Laps {
    pub(crate) fn time<T>(&mut self, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let done = work();
        self.0.push(start.elapsed());
        done
    }

    /// Microseconds that so many of a hundred did not take longer than.
    pub(crate) fn micros(&mut self, of_hundred: usize) -> f64 {
        self.0.sort_unstable();
        let at = (self.0.len() * of_hundred / 100).min(self.0.len().saturating_sub(1));
        self.0.get(at).map_or(f64::NAN, |lap| lap.as_secs_f64() * 1e6)
    }

    /// 50, 95 and 99 of a hundred, as figures without a target.
    pub(crate) fn figures(&mut self, name: &str) -> Vec<Figure> {
        [50, 95, 99]
            .map(|p| Figure::new(format!("{name}, µs, {p} of 100"), self.micros(p)))
            .to_vec()
    }
}
