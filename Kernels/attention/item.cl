// Determines which results this work-item computes: the results of WIDTH neighboring queries of one head, or of
// WIDTH neighboring keys of one group (one head of keys and values). `first` is the first of these queries or keys.
// $head is the name `head` or `group`.
//
//   item = (batch · $headCount + $head) · $parts + part          first = part · WIDTH
//
// Parameters: $extent, $head, $headCount, $items, $localSize, $parts.
const i64 item = (i64)GROUP_ID() * $localSize + LOCAL_ID();
if (item >= $items) return;
const i64 line = item / $parts;
const i64 first = (item - line * $parts) * WIDTH;
const int count = (int)SMALLER((i64)WIDTH, $extent - first);
const i64 batch = line / $headCount;
const i64 $head = line - batch * $headCount;
