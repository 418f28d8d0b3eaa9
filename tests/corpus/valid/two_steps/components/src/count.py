import argparse
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--texts", type=Path)
parser.add_argument("--counts", type=Path)
args = parser.parse_args()
for path in sorted(args.texts.iterdir()):
    (args.counts / f"{path.stem}.count").write_text(str(len(path.read_text().splitlines())))
    print(path.name)
