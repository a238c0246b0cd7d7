#!/bin/sh
# Makes the topology (GAFF2 with charges by AM1-BCC) and the scans by GFN2-xTB: three minutes on one core. Wants AmberTools
# (antechamber, parmchk2, tleap) and `pip install 'forgefield[qm]'`.
set -e
cd "$(dirname "$0")"
antechamber -i sulfonamide.mol -fi mdl -o sulfonamide.mol2 -fo mol2 -c bcc -at gaff2 -nc 0 -rn LIG -pf y
parmchk2 -i sulfonamide.mol2 -f mol2 -o sulfonamide.frcmod -s gaff2
# GAFF2 has a twofold term about S-N alone; beside it stand a onefold and a threefold one of zero, for the fit.
sed -i '/^c3-n7-sy-ca/{h;s/18.800\(.*\)  2.000/ 0.000\1 -1.000/;p;g;s/ 2.000/-2.000/;p;g;s/18.800\(.*\)2.000/ 0.000\13.000/}' sulfonamide.frcmod
cat > leap.in <<'END'
source leaprc.gaff2
loadamberparams sulfonamide.frcmod
molecule = loadmol2 sulfonamide.mol2
saveamberparm molecule sulfonamide.prmtop sulfonamide.inpcrd
quit
END
tleap -f leap.in
rm -f leap.in leap.log sqm.in sqm.out sqm.pdb
forgefield reference sulfonamide.mol --method gfn2 --scan 1-2-3-6 --points 24 -o scan-sn.json --overwrite
forgefield reference sulfonamide.mol --method gfn2 --scan 2-3-6-7 --points 12 -o scan-sc.json --overwrite
