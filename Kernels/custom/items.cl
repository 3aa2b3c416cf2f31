// The items of a user's operation. On a CPU a work-item goes through some of them, on a GPU it does one.
$REAL
const $index begin = ($index)GROUP_ID() * $perGroup;
const $index end = SMALLER(begin + $perGroup, $count);
for ($index item = begin + LOCAL_ID(); item < end; item += $localSize) {
  const $index i = item;
  $BODY
}
