#!/bin/sh
# Makes saddle.json, the transition state of F⁻ + CH3F → FCH3 + F⁻, and ch3f.json, the minimum of the reactant, both at
# B3LYP/6-31+G(d): ten minutes on one core.
set -e
cd "$(dirname "$0")"
forgefield reference ch3f.xyz --method b3lyp --basis '6-31+G(d)' --optimise -o ch3f.json --overwrite
forgefield reference saddle.xyz --method b3lyp --basis '6-31+G(d)' --saddle -o saddle.json --overwrite
