#!/bin/sh
# Makes staggered.json, the minimum of ethane, and eclipsed.json, the saddle of its internal rotation, both at
# B3LYP/6-31+G(d): ten minutes on one core.
set -e
cd "$(dirname "$0")"
forgefield reference staggered.xyz --method b3lyp --basis '6-31+G(d)' --optimise -o staggered.json --overwrite
forgefield reference eclipsed.xyz --method b3lyp --basis '6-31+G(d)' --saddle -o eclipsed.json --overwrite
