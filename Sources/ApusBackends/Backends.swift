import ApusCPU
import ApusDevice
import ApusGPU

/// Returns all backends, in the order in which devices are listed and in which `auto` looks for a GPU.
/// `Backend.all` in ApusTensor calls this function by its symbol.
@_silgen_name("apus_backends")
package func backends() -> [Backend] { [.cpu, .cuda, .opencl] }
