#!/bin/sh
# Makes ch3f.json, the minimum of CH3F at B3LYP/6-31+G(d): a few minutes on one core.
set -e
cd "$(dirname "$0")"
forgefield reference ch3f.xyz --method b3lyp --basis '6-31+G(d)' --optimise -o ch3f.json --overwrite
