// This header declares nothing. Linking the target is enough, because its constructor runs before `main`.
