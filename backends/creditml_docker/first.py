"""What a container's first process does: it stands between the engine and the step's command.

It is a script of the image's own shell, since that is the one program that every image for commands has. The command
must not be the first process itself: the kernel spares that one signals that it has no handler for, be it `kill -9 $$`.
"""

from __future__ import annotations

SHELLS = ("bash", "sh")
"""Shells to run commands with, best first; Azure ML's images have bash."""

SCRIPT = """
exec >>"$2" 2>&1
umask "$3"
if [ "${HOME:-/}" = / ] || { mkdir -p "$HOME"; [ ! -w "$HOME" ]; } 2>/dev/null; then
    HOME=/tmp/home; export HOME
    mkdir -p "$HOME" 2>/dev/null || HOME=/tmp
fi
asked=
ask() { trap '' TERM; asked=1; kill -TERM -1; kill -CONT -1; }
trap ask TERM
(trap - INT QUIT TERM; exec "$0" -c "$1") &
child=$!
exec 2>/dev/null
while :; do
    wait "$child"; code=$?
    [ -n "$asked" ] && kill -0 "$child" || break
done
if [ -n "$asked" ]; then
    while kill -0 -1; do sleep 0.05 || break; done
fi
exit "$code"
"""
"""Takes the shell, the command, the log and the mask of file modes.

Asked to end (SIGTERM, heeded once), it asks every other process to, wakes those that are stopped, and ends when the
last one has. Else it ends with the command. Whatever is left then, the kernel ends with the first process. The shell
waits for orphans too, so there are no zombies; what it says about signals is none of the log's business.
"""
