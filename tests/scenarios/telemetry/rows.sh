# Records the calls on standard input, one JSON object a line, as whoever makes calls does. $1 is `callboard`; the
# program that records is built beside it (cargo build --workspace --bins).
set -eu
exec "$(dirname "$1")/call-rows" "${XDG_DATA_HOME:-$HOME/.local/share}/callboard"
