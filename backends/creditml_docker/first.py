"""The script of a container's first process, which starts the step's command and ends the container.

The command must not be the first process itself: in a container, the kernel does not deliver signals to the first
process for which it has no handler, so for example `kill -9 $$` in the command would do nothing. The script is for a
shell, since that is the only program that all images that can run commands have.
"""

from __future__ import annotations

SHELLS = ("bash", "sh")
"""The shells that can run commands, the best first; Azure ML's images have bash."""

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
let_end() {
    naps=$(($1 * 20))
    while kill -0 -1 && { [ -n "$asked" ] || [ "$naps" -gt 0 ]; }; do
        if sleep 0.05; then naps=$((naps - 1)); elif sleep 1; then naps=$((naps - 20)); else break; fi
    done
}
let_end "$4"
if [ -z "$asked" ] && kill -0 -1; then kill -TERM -1; kill -CONT -1; let_end "$5"; fi
exit "$code"
"""
"""Arguments: the shell, the command, the log, the mask of file modes, and two whole numbers of seconds for processes
that the command has left running: to end by themselves, and to end when they are asked to.

On SIGTERM, to which it reacts only once, the script sends SIGTERM to all other processes, continues stopped ones, and
ends when the last of them has ended. Otherwise, when the command ends, it gives the processes that are left their time,
and then ends. The kernel kills processes that are left when a container's first process ends. The shell reaps orphans
too, so there are no zombies. Its own messages about signals don't go to the log. A `sleep` may know whole seconds only.
"""
