// This header declares nothing: a test only needs to link the target, whose constructor function runs before `main`.
