#!/bin/sh
# Makes the references of `benchmarks/molecules.py` with GFN2-xTB: minima, and first-order saddles of five structures.
# Half an hour on one core, most of it for the peptide of 100 atoms and the steroid of 60.
set -e
cd "$(dirname "$0")"
for file in *.xyz; do
    case $file in
        ammonia-planar.xyz | diels-alder.xyz | ethane-eclipsed.xyz | malonaldehyde-transfer.xyz | sn2-chloride.xyz)
            task=--saddle ;;
        *) task=--optimise ;;
    esac
    forgefield reference "$file" --method gfn2 $task -o "${file%.xyz}.json" --overwrite
done
# A mebibyte of Hessian, and half of one.
gzip -9 -n -f peptide.json testosterone-isobutyrate.json
