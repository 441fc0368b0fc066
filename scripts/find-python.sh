#!/bin/sh
# Prints the Python to build an environment with: $PYTHON where it is set, otherwise the first one found that is
# Python 3.$1 to 3.$2 and can make virtual environments. Where there is none, says in one sentence what to install.
# usage: find-python.sh MIN MAX, e.g. find-python.sh 11 14

min=$1 max=$2 old= bare=
for python in ${PYTHON:-python3.13 python3.12 python3.11 python3.14 python3 python}; do
  # A name on the path need not run (version managers leave such names), so each one is tried.
  version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
  minor=${version#3.}
  if [ "$minor" = "$version" ] || [ "$minor" -lt "$min" ] || [ "$minor" -gt "$max" ]; then
    old="$old $version"
  elif "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    exec "$python" -c 'import sys; print(sys.executable)'
  else
    bare=$version
  fi
done

range="3.$min to 3.$max"
[ "$min" = "$max" ] && range="3.$min"
if [ -n "$bare" ]; then
  echo "Python $bare is here but cannot make virtual environments: install python$bare-venv" \
    "(Debian, Ubuntu: sudo apt install python$bare-venv) and try again." >&2
elif [ -n "$old" ]; then
  echo "This needs Python $range and only found$old: install one (python.org, or your package manager), or name one" \
    "with PYTHON=/path/to/python." >&2
else
  echo "This needs Python $range and found none: install one (python.org, or your package manager), or name one" \
    "with PYTHON=/path/to/python." >&2
fi
exit 1
