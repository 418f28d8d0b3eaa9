import sys
from pathlib import Path

seen, *inputs = map(Path, sys.argv[1:])
with seen.open("w") as lines:
    for path in inputs:
        what = path.name if path.is_file() else " ".join(sorted(p.name for p in path.iterdir()))
        lines.write(f"{'file' if path.is_file() else 'folder'} {what}\n")
