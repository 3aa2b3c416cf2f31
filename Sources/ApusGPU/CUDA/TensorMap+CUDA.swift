import ApusDevice
import CCUDA

extension TensorMap {
  /// Encodes the map for memory at an address. Copies store the box in shared memory with a swizzle of 128 bytes, and
  /// elements outside of the tensor as zeros.
  func encode(at address: CUdeviceptr, to map: UnsafeMutablePointer<CUtensorMap>, _ api: CCUDADriver) -> CUresult {
    let type = dtype == .float16 ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16 : CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
    let start = UnsafeMutableRawPointer(bitPattern: UInt(address) + UInt(offset * dtype.byteCount))
    let steps = [UInt32](repeating: 1, count: extents.count)
    return api.cuTensorMapEncodeTiled(
      map, type, UInt32(extents.count), start, extents.map(UInt64.init), strides.map { UInt64($0 * dtype.byteCount) },
      box.map(UInt32.init), steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
      CU_TENSOR_MAP_L2_PROMOTION_L2_128B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE)
  }
}
