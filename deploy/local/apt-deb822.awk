# Reads deb822 source files (*.sources); prints "URI suite components options"
# with commas between components and | between options, "-" where none.

function flush(   uris, suites, n, m, i, j, options) {
  if (field["types"] ~ /(^| )deb( |$)/ && tolower(field["enabled"]) !~ /no|false|off|0/) {
    options = ""
    # A key given in full inside the file is left to apt's trusted folder.
    if (field["signed-by"] ~ /^ *\//) { gsub(/^ +| +$/, "", field["signed-by"]); gsub(/ +/, ",", field["signed-by"]); options = "signed-by=" field["signed-by"] }
    if (tolower(field["trusted"]) ~ /yes/) options = options (options == "" ? "" : "|") "trusted=yes"
    gsub(/^ +| +$/, "", field["components"])
    gsub(/ +/, ",", field["components"])
    n = split(field["uris"], uris, " ")
    m = split(field["suites"], suites, " ")
    for (i = 1; i <= n; i++)
      for (j = 1; j <= m; j++)
        print uris[i], suites[j], (field["components"] == "" ? "-" : field["components"]), (options == "" ? "-" : options)
  }
  split("", field)
  name = ""
}

FNR == 1 { flush() }
/^#/ { next }
/^[ \t]*$/ { flush(); next }
/^[ \t]/ { gsub(/[ \t]+/, " "); field[name] = field[name] $0; next }
{
  name = tolower(substr($0, 1, index($0, ":") - 1))
  value = substr($0, index($0, ":") + 1)
  gsub(/[ \t]+/, " ", value)
  field[name] = value
}
END { flush() }
