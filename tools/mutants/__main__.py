"""`python -m tools.mutants`: make mutations and see whether tests notice. Exit 1 if too few are noticed."""

import argparse
import sys
import tempfile
import time
from math import inf
from pathlib import Path
from typing import Final

from tools.mutants import reporting
from tools.mutants.choosing import ACCEPTED, ROOMS, StaleError, accepted, all_mutations, sample
from tools.mutants.running import Fate, Runner, UncleanError, Verdict

ROOT: Final = Path(__file__).resolve().parents[2]
AIM: Final = 95.0


def main() -> int:
    """Run it as the command line says."""
    options = _options()
    try:
        reasons = accepted(ROOT / ACCEPTED, ROOT)
    except StaleError as error:
        print(f"{ACCEPTED}:\n{error}", file=sys.stderr)
        return 1
    rooms = options.rooms or list(ROOMS)
    mutants = all_mutations(ROOT, rooms, options.files)
    chosen = sample(mutants, options.seed, options.sample)
    if options.list:
        for mutant in chosen:
            print(f"{mutant.file}:{mutant.line}: {mutant.function}: {mutant.change}")
        return 0
    print(f"{len(chosen)} of {len(mutants)} mutants (seed {options.seed}) in {', '.join(rooms)}", flush=True)
    allowed = [mutant for mutant in chosen if mutant.key in reasons]
    tried = [mutant for mutant in chosen if mutant.key not in reasons]
    until = time.monotonic() + 60 * options.minutes if options.minutes else inf
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        runner = Runner(ROOT, Path(folder), options.jobs)
        try:
            for verdict in runner.run(tried, until):
                verdicts.append(verdict)
                reporting.progress(len(verdicts), len(tried), f"{verdict.fate.value} {verdict.mutant.file}")
                if verdict.fate is Fate.SURVIVED:
                    print(f"\r{reporting.survivor(verdict.mutant)}", flush=True)
                elif options.verbose:
                    print(f"\r{reporting.victim(verdict)}", flush=True)
        except UncleanError as error:
            print(f"\r{error}", file=sys.stderr)
            return 1
    print(f"\n{reporting.table(verdicts, allowed)}")
    if options.entries:
        entries = [reporting.entry(verdict.mutant) for verdict in verdicts if verdict.fate is Fate.SURVIVED]
        options.entries.write_text("\n\n".join([*entries, ""]))
    share = reporting.share(verdicts)
    print(f"{share:.1f} % of {len(verdicts)} were noticed; the aim is {options.aim:g} %")
    return int(share < options.aim or not verdicts)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the sample; default 1")
    parser.add_argument("--sample", type=int, default=300, help="number of mutants; default 300")
    parser.add_argument("--all", dest="sample", action="store_const", const=None, help="every mutant, not a sample")
    parser.add_argument("--rooms", nargs="+", choices=ROOMS, help="only of these packages")
    parser.add_argument("--files", nargs="+", default=[], help="only of these, as 'core/framing/*'")
    parser.add_argument("--minutes", type=float, help="begin no further mutant after this time")
    parser.add_argument("--jobs", type=int, default=5, help="processes beside each other; default 5: most tests wait")
    parser.add_argument("--aim", type=float, default=AIM, help=f"exit 1 below this percentage; default {AIM:g}")
    parser.add_argument("--entries", type=Path, help="write the survivors there, in the form of accepted.toml")
    parser.add_argument("--list", action="store_true", help="list the sample, and run nothing")
    parser.add_argument("--verbose", action="store_true", help="say of each mutant what noticed it")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
