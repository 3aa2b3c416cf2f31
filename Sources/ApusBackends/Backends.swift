import ApusCPU
import ApusDevice
import ApusGPU

/// Returns all backends in use, in the order in which devices are listed; `Backend.cuda` is not in use yet.
/// `Backend.all` in ApusTensor calls this function by its symbol.
@_silgen_name("apus_backends")
package func backends() -> [Backend] { [.cpu, .opencl] }
