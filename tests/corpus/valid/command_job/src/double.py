import argparse
import os
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--numbers", type=Path)
parser.add_argument("--factor", type=int)
parser.add_argument("--doubled", type=Path)
args = parser.parse_args()
numbers = [int(line) * args.factor for line in args.numbers.read_text().split()]
args.doubled.write_text("".join(f"{n}\n" for n in numbers))
print(os.environ["LEVEL"])
