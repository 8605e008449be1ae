"""One target under atheris, in a process of its own; see `tests.fuzz.run`.

python -m tests.fuzz.guided TARGET FOLDER [options of libFuzzer]
"""

import sys

import atheris

with atheris.instrument_imports(include=["shadow"]):
    from tests.fuzz.targets import TARGETS


def main() -> None:
    name = sys.argv.pop(1)
    atheris.Setup(sys.argv, TARGETS[name].run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
