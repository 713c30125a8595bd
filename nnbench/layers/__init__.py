"""`nnbench layers`: where does a step's time go, layer by layer?"""
