// The items of a user's operation. On a CPU a work-item goes through some of them, on a GPU it does one.
//
//   LOAD(x, at)           an element of an array as a number: float for the types of 16 bits
//   STORE(y, at, value)   the opposite, rounded to the array's type
#define LOAD(array, at) LOAD_OF_##array(at)
#define STORE(array, at, value) STORE_OF_##array(at, value)
$REAL
const $index begin = ($index)GROUP_ID() * $perGroup;
const $index end = SMALLER(begin + $perGroup, $count);
for ($index item = begin + LOCAL_ID(); item < end; item += $localSize) {
  const $index i = item;
  $BODY
}
#undef LOAD
#undef STORE
