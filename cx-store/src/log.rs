//! The log that stands beside a file, read without the engine.
//!
//! Each page in it carries a sum over all that stands before it. The engine reads it up to the first
//! sum that is wrong, takes what is behind that for what a power loss has left, and writes over it.
//! That is so of the last transaction, which nobody was told of. But each transaction is on the disk
//! before the next one is written: whole transactions behind a wrong sum mean that the log was
//! damaged, and that what was acknowledged would be lost. The format is told at
//! <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::collections::HashMap;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use crate::error::StoreError;
use crate::kept::KeptFile;

/// The size of a page in every file that cx makes.
pub(crate) const PAGE: usize = 8192;

/// What a page begins with in a log: its number, how long the file is where it ends a transaction,
/// the salt of the log, and the sum.
const HEAD: usize = 24;
const HEADER: usize = 32;

/// What a log says, whole transactions only.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// What it begins with: something else once it was begun anew.
    header: Vec<u8>,
    /// Where the latest image of each page begins.
    pub(crate) images: HashMap<u32, u64>,
    /// How many pages the file has as of the last transaction.
    pub(crate) whole: Option<u32>,
    /// Where it is damaged.
    pub(crate) damage: Vec<Damage>,
    /// How far the engine reads it.
    pub(crate) sound: u64,
    /// Whether what it begins with is spoilt: the engine reads nothing of it then, and it is read by
    /// its pages alone.
    pub(crate) is_headless: bool,
    /// Whether a transaction stands at its end that is not whole: what a power loss leaves, which
    /// nobody was told of, or the last one that was acknowledged, damaged.
    pub(crate) is_torn: bool,
}

/// A page in a log that is spoilt, with whole transactions behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Damage {
    /// The how many-eth page in the log, from 1.
    pub(crate) frame: u64,
    /// Which page of the file it is one of, where that can be read.
    pub(crate) page: Option<u32>,
}

/// What is read of a log from one place where its sums are wrong to the next.
#[derive(Default)]
struct Run {
    images: HashMap<u32, u64>,
    whole: Option<u32>,
    damage: Vec<Damage>,
    /// Transactions that end in it.
    ends: u32,
    /// Pages of a transaction that has not ended.
    open: HashMap<u32, u64>,
    /// How many pages it has that follow from each other.
    length: u64,
}

impl Log {
    pub(crate) fn read(log: &mut KeptFile) -> io::Result<Self> {
        let mut read = Self::default();
        log.seek(SeekFrom::Start(0))?;
        let mut header = [0; HEADER];
        if !fill(log, &mut header)? {
            return Ok(read);
        }
        read.header = header.to_vec();
        let mark = number_at(&header, 0, 4);
        let is_big = mark == Some(0x377f_0683);
        let mut sum = (0, 0);
        add(&mut sum, header.get(..24).unwrap_or_default(), is_big);
        let same_page = number_at(&header, 8, 4) == u64::try_from(PAGE).ok();
        let is_marked = is_big || mark == Some(0x377f_0682);
        read.is_headless = !is_marked || !same_page || told(&header, 24) != Some(sum);
        let mut salt = header.get(16..24).unwrap_or_default().to_vec();
        let length = u64::try_from(HEAD + PAGE).unwrap_or(u64::MAX);
        let (mut head, mut page) = ([0; HEAD], vec![0; PAGE]);
        let mut at = u64::try_from(HEADER).unwrap_or(0);
        if read.is_headless {
            if !fill(log, &mut head)? || !fill(log, &mut page)? {
                return Ok(read);
            }
            salt = head.get(8..16).unwrap_or_default().to_vec();
            // Either what it says of its sum is spoilt, or what that was made of.
            let mut first = told(&header, 24).unwrap_or_default();
            add(&mut first, head.get(..8).unwrap_or_default(), is_big);
            add(&mut first, &page, is_big);
            if told(&head, 16) == Some(first) {
                sum = told(&header, 24).unwrap_or_default();
            }
            log.seek(SeekFrom::Start(at))?;
        }
        // A power loss may have torn what it begins with, too.
        let (mut run, mut frame, mut is_first) = (Run::default(), 0, !read.is_headless);
        // The page that ended a transaction last, and where in the log.
        let mut ended = None;
        while fill(log, &mut head)? {
            frame += 1;
            let is_of_it = head.get(8..16) == Some(salt.as_slice());
            if is_of_it {
                if !fill(log, &mut page)? {
                    break;
                }
                add(&mut sum, head.get(..8).unwrap_or_default(), is_big);
                add(&mut sum, &page, is_big);
            } else {
                // What an earlier log has left is not looked at.
                log.seek(SeekFrom::Start(at + length))?;
            }
            let of = |at| number_at(&head, at, 4).and_then(|it| u32::try_from(it).ok());
            let (number, end) = (of(0).unwrap_or(0), of(4).filter(|pages| *pages > 0));
            let follows = is_of_it && told(&head, 16) == Some(sum);
            if follows {
                run.length += 1;
                run.open.insert(number, at + u64::try_from(HEAD).unwrap_or(0));
            } else {
                // Both what is spoilt in a page and in what it begins with breaks two sums at most.
                if run.length > 0 || is_first {
                    // The transaction that it is in began before it.
                    let open = std::mem::take(&mut run.open);
                    if !read
                        .take(std::mem::replace(&mut run, Run { open, ..Run::default() }), is_first)
                    {
                        run = Run::default();
                        break;
                    }
                    is_first = false;
                }
                run.damage.push(Damage { frame, page: is_of_it.then_some(number) });
                sum = told(&head, 16).unwrap_or_default();
            }
            at += length;
            if is_of_it && let Some(pages) = end {
                run.images.extend(run.open.drain());
                run.whole = Some(pages).filter(|_| follows).or(run.whole);
                // A transaction is filled up with its last page, to the end of a sector of the disk.
                let is_filling = ended == Some((frame - 1, number));
                run.ends += u32::from(!is_filling);
                ended = Some((frame, number));
                if is_first {
                    read.sound = at;
                }
            }
        }
        read.take(run, is_first);
        Ok(read)
    }

    /// Takes in what follows from what is before it, or stands whole behind a damage. Says whether
    /// there may be more.
    fn take(&mut self, run: Run, is_first: bool) -> bool {
        // The first one behind a damage may be what a power loss has torn; the next one was only
        // written once that was on the disk.
        if !is_first && run.ends < 2 {
            self.is_torn |= run.ends > 0;
            return false;
        }
        self.images.extend(run.images);
        self.whole = run.whole.or(self.whole);
        self.damage.extend(run.damage);
        true
    }

    /// Whether all that it says stands in the file already.
    fn is_in(&self, file: &mut KeptFile, log: &mut KeptFile) -> io::Result<bool> {
        let (mut here, mut there) = (vec![0; PAGE], vec![0; PAGE]);
        let mut images: Vec<(u32, u64)> =
            self.images.iter().map(|(page, at)| (*page, *at)).collect();
        images.sort_unstable();
        for (number, at) in images {
            let before = u64::from(number.saturating_sub(1));
            file.seek(SeekFrom::Start(before * u64::try_from(PAGE).unwrap_or(u64::MAX)))?;
            log.seek(SeekFrom::Start(at))?;
            if !fill(file, &mut here)? || !fill(log, &mut there)? || here != there {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the log was begun anew since it was read: other pages stand in it then.
    pub(crate) fn is_another(&self, log: &mut KeptFile) -> io::Result<bool> {
        if self.header.is_empty() {
            return Ok(false);
        }
        let mut header = [0; HEADER];
        log.seek(SeekFrom::Start(0))?;
        Ok(!fill(log, &mut header)? || self.header != header)
    }

    /// Whether the engine reads all of it.
    pub(crate) const fn is_whole(&self) -> bool {
        self.damage.is_empty() && !self.is_torn && !self.is_headless
    }

    /// The pages whose image in the log is spoilt, and whether the page that each says to be was
    /// written again behind it. That tells nothing for sure: its number may be what is spoilt.
    pub(crate) fn lost(&self) -> impl Iterator<Item = (Damage, bool)> {
        let head = u64::try_from(HEADER).unwrap_or(0);
        let length = u64::try_from(HEAD + PAGE).unwrap_or(u64::MAX);
        self.damage.iter().map(move |damage| {
            let image = damage.page.and_then(|page| self.images.get(&page));
            let is_again = image.is_some_and(|at| (at - head) / length >= damage.frame);
            (*damage, is_again)
        })
    }
}

/// Sees to it that nothing that was acknowledged is lost with the log beside a file: opening the
/// file would throw away what is behind a damage.
pub(crate) fn check(path: &Path, log: &Path) -> Result<(), StoreError> {
    let damage = || -> io::Result<Option<(u64, Vec<Damage>)>> {
        let mut log = KeptFile::open(log)?;
        let read = Log::read(&mut log)?;
        let is_lost = if read.is_headless {
            !read.is_in(&mut KeptFile::open(path)?, &mut log)?
        } else {
            !read.damage.is_empty()
        };
        Ok(is_lost.then_some((read.sound, read.damage)))
    };
    // One that cannot be read is told of by the engine.
    let Ok(Some(found)) = damage() else { return Ok(()) };
    // Where somebody writes to it meanwhile, it is another one now.
    if damage().ok().flatten().as_ref() != Some(&found) {
        return Ok(());
    }
    let first = found.1.first().map(|damage| format!("at page {} of it", damage.frame));
    let first = first.unwrap_or_else(|| "where it begins".to_owned());
    let detail = format!(
        "its log is spoilt {first}, and whole transactions stand behind that, which would be lost \
         by opening it"
    );
    Err(StoreError::Corrupt { path: path.to_owned(), detail })
}

/// Reads so many bytes; `false` where there are fewer.
fn fill(log: &mut KeptFile, room: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(room) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn add(sum: &mut (u32, u32), bytes: &[u8], is_big: bool) {
    for pair in bytes.chunks_exact(8) {
        let (one, other) = pair.split_at(4);
        let word = |bytes: &[u8]| {
            let bytes: [u8; 4] = bytes.try_into().unwrap_or_default();
            if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
        };
        sum.0 = sum.0.wrapping_add(word(one)).wrapping_add(sum.1);
        sum.1 = sum.1.wrapping_add(word(other)).wrapping_add(sum.0);
    }
}

/// The sum that is written at a place.
fn told(bytes: &[u8], at: usize) -> Option<(u32, u32)> {
    let of = |at| number_at(bytes, at, 4).and_then(|it| u32::try_from(it).ok());
    Some((of(at)?, of(at + 4)?))
}

/// A number of so many bytes, the highest first.
pub(crate) fn number_at(bytes: &[u8], at: usize, length: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(length)?)?;
    Some(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}
