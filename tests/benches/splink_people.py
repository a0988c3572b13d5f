"""Link a table of persons with Splink, for the figures that stand beside ours.

usage: splink_people.py TABLE.csv [--threshold BITS] [--threads N] [--blank-shared]
       splink_people.py TABLE.csv --beside CX

The table has the columns of `cx_tests::people`: rec_id, truth, channel, first_name, surname,
dob, email, phone, city, postcode. The model is made of Splink's own comparisons and of blocking
rules as its documentation recommends them, trained on the table itself. Prints JSON: CPU seconds
(user and system, all threads), wall seconds, peak memory in megabytes, and precision, recall and
F1 of the pairs that the clusters imply, at the threshold with the best F1 or at the one that was
asked for. CPU, time and memory are those up to the first clustering: the other thresholds and
the truth cost nothing.

With `--beside` the program CX links the table first, and both stand in one table with their
ratios and our targets: at least 5 times less CPU and 3 times less memory at no lower F1. Splink
runs as it is and with shared values blanked first, as cx blanks them; the one with the better F1
is compared with. The exit code is 1 where a target is missed.

Runs in an environment of its own (`target/splink-venv`); it is no dependency of the project.
"""

import argparse
import csv
import json
import logging
import os
import resource
import subprocess
import sys
import time
from collections import Counter

THRESHOLDS = [0.0, 2.0, 4.0, 6.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 16.0, 18.0]


def main() -> None:
    """Read the table, train, predict, cluster, and print the figures."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("table")
    arguments.add_argument("--threshold", type=float, help="cluster at this match weight only")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--beside", metavar="CX", help="the program `cx`, to compare with")
    arguments.add_argument(
        "--blank-shared",
        action="store_true",
        help="first blank numbers and addresses that several first names use, as cx does",
    )
    asked = arguments.parse_args()
    if asked.beside:
        sys.exit(beside(asked.table, asked.beside))
    logging.disable(logging.WARNING)
    start = time.perf_counter()

    import duckdb
    import splink
    import splink.comparison_level_library as cll
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    settings = SettingsCreator(
        link_type="dedupe_only",
        unique_id_column_name="rec_id",
        comparisons=[
            cl.JaroWinklerAtThresholds("first_name", [0.92, 0.85]).configure(
                term_frequency_adjustments=True
            ),
            cl.JaroWinklerAtThresholds("surname", [0.92, 0.85]).configure(
                term_frequency_adjustments=True
            ),
            cl.DateOfBirthComparison("dob", input_is_string=True),
            cl.EmailComparison("email"),
            cl.LevenshteinAtThresholds("phone", [1, 2]).configure(term_frequency_adjustments=True),
            cl.CustomComparison(
                output_column_name="place",
                comparison_levels=[
                    cll.And(cll.NullLevel("city"), cll.NullLevel("postcode")),
                    cll.ExactMatchLevel("postcode", term_frequency_adjustments=True),
                    cll.LevenshteinLevel("postcode", 1),
                    cll.ExactMatchLevel("city", term_frequency_adjustments=True),
                    cll.ElseLevel(),
                ],
            ),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("first_name", "surname"),
            block_on("surname", "dob"),
            block_on("first_name", "dob"),
            block_on("dob", "postcode"),
            block_on("email"),
            block_on("phone"),
            block_on("surname", "postcode"),
        ],
        retain_intermediate_calculation_columns=False,
        retain_matching_columns=False,
    )
    connection = duckdb.connect(":memory:")
    connection.execute(f"SET threads TO {asked.threads}")
    connection.execute(
        "CREATE TABLE persons AS SELECT * EXCLUDE (truth, channel) "
        "FROM read_csv(?, header = true, all_varchar = true)",
        [asked.table],
    )
    for column in ("phone", "email") if asked.blank_shared else ():
        connection.execute(
            f"""
            UPDATE persons SET {column} = NULL WHERE {column} IN (
                SELECT a.{column} FROM persons AS a JOIN persons AS b USING ({column})
                WHERE jaro_winkler_similarity(lower(a.first_name), lower(b.first_name)) < 0.7
                AND a.first_name IS DISTINCT FROM b.surname
                AND b.first_name IS DISTINCT FROM a.surname
            )
            """
        )
    linker = Linker(DuckDBAPI(connection).register("persons"), settings, log_level=None)
    linker.training.estimate_probability_two_random_records_match(
        [
            block_on("email", "first_name"),
            block_on("first_name", "surname", "dob"),
            block_on("phone", "first_name"),
        ],
        recall=0.7,
    )
    linker.training.estimate_u_using_random_sampling(max_pairs=2e6, seed=1)
    for rule in (block_on("first_name", "surname"), block_on("email"), block_on("dob")):
        linker.training.estimate_parameters_using_expectation_maximisation(
            rule, record_sample_proportion=1.0
        )
    predictions = linker.inference.predict(threshold_match_weight=min(THRESHOLDS))

    best: dict[str, float] = {}
    truth: dict[str, str] = {}
    first_clusters = None
    thresholds = THRESHOLDS if asked.threshold is None else [asked.threshold]
    for threshold in thresholds:
        clusters = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predictions, threshold_match_weight=threshold
        )
        rows = clusters.as_duckdbpyrelation().select("cluster_id, rec_id").fetchall()
        if first_clusters is None:
            # One clustering is the work; the others only look for Splink's best threshold.
            first_clusters = used(start)
            with open(asked.table, newline="", encoding="utf-8") as file:
                truth = {row["rec_id"]: row["truth"] for row in csv.DictReader(file)}
        figures = agreement(((cluster, truth[record]) for cluster, record in rows), truth) | {
            "threshold": threshold
        }
        if figures["f1"] > best.get("f1", -1.0):
            best = figures
    print(
        json.dumps(
            {"splink": splink.__version__, "records": len(truth), **(first_clusters or {}), **best}
        )
    )


def beside(table: str, cx: str) -> int:
    """Run both on the same table, print them side by side; 1 where a target is missed."""
    columns = ["--column", "rec_id=ignore", "--column", "channel=ignore"]
    command = [cx, "link", table, "--truth", "truth", *columns, "--json"]
    ours, usage = run(command)
    figures = json.loads(ours)["quality"] | usage
    script = [sys.executable, __file__, table]
    theirs = []
    for options in ([], ["--blank-shared"]):
        # What it says itself: the search for its best threshold is not counted.
        told, _ = run(script + options)
        theirs.append(json.loads(told))
    best = max(theirs, key=lambda one: one["f1"])
    rows = [("cx link", figures)]
    rows += [("splink", theirs[0]), ("splink, shared values blanked", theirs[1])]
    print(f"{'':<32}{'precision':>10}{'recall':>10}{'F1':>10}{'CPU s':>10}{'peak MB':>10}")
    for name, row in rows:
        cells = [f"{row[key]:.4f}" for key in ("precision", "recall", "f1")]
        cells += [f"{row['cpu_s']:.2f}", f"{row['peak_mb']:.0f}"]
        print(f"{name:<32}" + "".join(f"{cell:>10}" for cell in cells))
    targets = [
        ("F1 above that of Splink by", figures["f1"] - best["f1"], 0.0),
        ("times less CPU than Splink", best["cpu_s"] / figures["cpu_s"], 5.0),
        ("times less memory than Splink", best["peak_mb"] / figures["peak_mb"], 3.0),
    ]
    missed = 0
    for name, figure, target in targets:
        met = figure >= target
        missed += not met
        print(f"{name:<62} {figure:>12.2f} {f'>= {target}':>12} {'met' if met else 'MISSED'}")
    return int(missed > 0)


def run(command: list[str]) -> tuple[str, dict[str, float]]:
    """Run a program; give what it printed, its CPU seconds and its peak memory."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command[0]}: exit {process.returncode}")
    unit = 2**20 if sys.platform == "darwin" else 2**10
    cpu = usage.ru_utime + usage.ru_stime
    return told, {"cpu_s": round(cpu, 2), "peak_mb": round(usage.ru_maxrss / unit, 1)}


def used(start: float) -> dict[str, float]:
    """CPU and wall seconds since the start of the process, and its peak memory."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return {
        "cpu_s": round(usage.ru_utime + usage.ru_stime, 2),
        "wall_s": round(time.perf_counter() - start, 2),
        "peak_mb": round(usage.ru_maxrss / unit, 1),
    }


def agreement(cells, truth) -> dict[str, float]:
    """Precision, recall and F1 over all pairs that the clusters imply, from the sizes of groups."""
    both = Counter(cells)
    found, wanted = Counter(), Counter(truth.values())
    for (cluster, _), n in both.items():
        found[cluster] += n
    right, found_pairs, wanted_pairs = (
        sum(n * (n - 1) // 2 for n in sizes.values()) for sizes in (both, found, wanted)
    )
    precision = right / found_pairs if found_pairs else 1.0
    recall = right / wanted_pairs if wanted_pairs else 1.0
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"precision": round(precision, 5), "recall": round(recall, 5), "f1": round(f1, 5)}


if __name__ == "__main__":
    main()
