import sys
from pathlib import Path

counts, total = map(Path, sys.argv[1:])
(total / "total.txt").write_text(str(sum(int(path.read_text()) for path in counts.iterdir())) + "\n")
