import Testing

struct VerifyTests {
  @Test func devicesAgree() throws {
    let run = try Invocation(
      "verify", "--layers", "conv 4 3x3, relu, pool 2, dense 10", "--batch-size", "8", "--devices", "cpu,opencl",
      "--json")
    #expect(run.status == 0, "\(run.errors)")
    #expect(try run.member("agrees") == true && run.member("devices") == ["cpu", "opencl:0"])
    #expect(try run.member("operations", as: Int.self) ?? 0 > 50)
    #expect(try run.member("losses", as: [Double].self)?.count == 2)
  }

  @Test(arguments: [
    (["mlp"], "--devices needs two or more"), (["mlp", "--devices", "cpu"], "--devices needs two or more"),
    (["mlp", "--devices", "cpu,gpu"], "--devices: \"gpu\" is not one of auto, cpu, cuda, cuda:N, opencl"),
    (["mpl", "--devices", "cpu,opencl"], "unknown model \"mpl\"; did you mean mlp?"),
  ])
  func usageErrors(words: [String], message: String) throws {
    let run = try Invocation(["verify"] + words)
    #expect(run.status == 64 && run.errors.contains(message), "\(run.errors)")
  }
}
