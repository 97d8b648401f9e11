# Makes a repository NAME, with the ROADMAP.md that comes on standard input, committed on main.
set -eu
git init -q -b main "$1"
cat >"$1/ROADMAP.md"
git -C "$1" config user.name Ada
git -C "$1" config user.email ada@example.org
git -C "$1" add -A
git -C "$1" commit -q -m "chore: start"
