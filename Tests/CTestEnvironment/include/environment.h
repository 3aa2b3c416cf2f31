// Nothing to call: linking the target is enough, since its constructor runs before `main`.
