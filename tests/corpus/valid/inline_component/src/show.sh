echo "$1"
ls "$2"
cat "$3"
