# Starts the scripted provider and says where it is. $1 is `callboard`; the provider is built beside it
# (cargo build --workspace --bins).
set -eu
exec "$(dirname "$1")/scripted-upstream"
