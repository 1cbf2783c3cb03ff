"""What `dayfly dev` is made of: looking for saves, deploying what was saved, telling how that went."""
