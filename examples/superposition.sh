#!/bin/sh
# Toy models of superposition: the figures of Elhage et al. 2022 (arXiv 2209.10652).
#
# usage: superposition.sh [FOLDER]
# time:  10 min on two cores
set -eu
folder=${1:-runs/superposition}

# five features in two dimensions: the sparser they are, the more are superposed
mitool superpose intro -o "$folder/intro" --resume

# norms of features, and W^T W: above which sparsity is there superposition?
mitool superpose norms -o "$folder/norms" --resume

# dimensions per feature stick at 1 and at 1/2; the dimensionality of each says which polytope it is of
mitool superpose geometry -o "$folder/geometry" --resume
mitool superpose dimensionality --from "$folder/geometry" -o "$folder/dimensionality" --overwrite

# an extra feature is left out, has a dimension of its own, or is superposed, beside the closed form
mitool superpose phase -o "$folder/phase" --resume --check '2in1.phase_agreement > 0.9' \
  --check '3in2.phase_agreement > 0.9'

# features that come together have orthogonal directions, those that never do have opposite ones
mitool superpose correlated -o "$folder/correlated" --resume

# what neurons stand for, and |x| computed in superposition
mitool superpose basis -o "$folder/basis" --resume
