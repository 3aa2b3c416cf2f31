// Memory access and masks for registers of one lane, in any dialect (C, OpenCL C or CUDA). Included after the file of
// the dialect if WIDTH, the number of lanes, is 1.

#define VLOAD(p) (*(p))
#define VSTORE(v, p) (*(p) = (v))
#define VLOAD_EVEN(wide, p) (*(p))
#define VPICK(wide, p, stride, last) (*(p))
// VSTORE_PART_type stores the first `count` < WIDTH lanes. With one lane, `count` could only be 0, and nothing is
// stored.
#define VSTORE_PART_u8(v, p, count)
#define VSTORE_PART_i8(v, p, count)
#define VSTORE_PART_u16(v, p, count)
#define VSTORE_PART_int(v, p, count)
#define VSTORE_PART_i64(v, p, count)
#define VSTORE_PART_float(v, p, count)
#define VSTORE_PART_double(v, p, count)
#define FIRST_LANE(v) (v)
#define LANES_I 0
#define LANES_L 0
#define TRUTH32(m) ((m) != 0)
#define TRUTH64(m) ((m) != 0)
#define ANY32(m) ((m) != 0)
#define ANY64(m) ((m) != 0)
#define MASK64(m) ((m) != 0)
