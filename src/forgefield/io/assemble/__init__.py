"""From what files say of a structure to one reference: merged in one frame, and checked."""
