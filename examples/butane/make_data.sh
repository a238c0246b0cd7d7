#!/bin/sh
# Makes butane.json, the minimum of butane, and scan.json, the relaxed scan of its central bond in steps of 15°, both
# with GFN2-xTB: a minute on two cores.
set -e
cd "$(dirname "$0")"
forgefield reference butane.xyz --method gfn2 --optimise -o butane.json --overwrite
forgefield reference butane.xyz --method gfn2 --scan 1-2-3-4 --step 15 -o scan.json --overwrite
