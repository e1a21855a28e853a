# Reads one-line source files (*.list); prints the same as apt-deb822.awk:
# "URI suite components options".

/^[ \t]*deb[ \t]/ {
  sub(/#.*/, "")
  sub(/^[ \t]*deb[ \t]+/, "")
  options = ""
  if (match($0, /^\[[^]]*\]/)) {
    n = split(substr($0, 2, RLENGTH - 2), given, " ")
    $0 = substr($0, RLENGTH + 1)
    for (i = 1; i <= n; i++)
      if (given[i] ~ /^(signed-by|trusted)=/) options = options (options == "" ? "" : "|") given[i]
  }
  components = ""
  for (i = 3; i <= NF; i++) components = components (i == 3 ? "" : ",") $i
  print $1, $2, (components == "" ? "-" : components), (options == "" ? "-" : options)
}
