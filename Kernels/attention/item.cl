// The results that a work-item computes: those of WIDTH neighboring queries of a head, or of WIDTH neighboring keys of
// a group (a head of keys and values), from query or key `first` on. $head is `head` or `group`.
//
//   item = (batch · $headCount + $head) · $parts + part
//
// Parameters: $extent, $head, $headCount, $items, $localSize, $parts.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (item >= $items) return;
const i64 line = item / $parts;
const i64 first = (item - line * $parts) * WIDTH;
const int count = (int)SMALLER((i64)WIDTH, $extent - first);
const i64 batch = line / $headCount;
const i64 $head = line - batch * $headCount;
