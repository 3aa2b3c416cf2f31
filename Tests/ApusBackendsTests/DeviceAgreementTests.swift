import Apus
import ApusTestSupport
import Testing

/// The CPU, OpenCL and CUDA agree on the training of a model on Fashion-MNIST: the losses of the first steps and the
/// gradients of the first step are close.
@Suite struct DeviceAgreementTests {
  private let train: ImageSet
  private let statistics: PixelStatistics
  private let devices: [ComputeDevice]

  init() throws {
    let data = try ImageDataset.load("fashion-mnist")
    train = try #require(data.train as? ImageSet)
    statistics = try #require(data.statistics)
    let cuda = try #require(TestDevice.all.first { $0.name == "cuda:0" })
    devices = [try .named("cpu"), try .named("opencl:0"), cuda.device]
  }

  private func batches(_ device: ComputeDevice) -> (Int) -> Batch {
    let images = LoadedImages(train, statistics: statistics, device: device)
    let order = MinibatchOrder(count: train.count, batchSize: 128, seed: 7)
    let epoch = order.epoch(0)
    return { images.batch(epoch[$0]) }
  }

  private func model(_ device: ComputeDevice) throws -> any Layer {
    try withRandomKey(RandomKey(seed: 3)) { try ImageNetwork.lenet5.model() }
  }

  @Test(arguments: ["adam", "sgd"]) func lossesOfTheFirstTwentySteps(rule: String) throws {
    var losses: [[Double]] = []
    for device in devices {
      try withDevice(device) { () throws in
        let model = try model(device)
        let batch = batches(device)
        let optimizer =
          rule == "adam"
          ? Optimizer(Adam(learningRate: 1e-3), for: model)
          : Optimizer(SGD(learningRate: 0.01, momentum: 0.9), for: model)
        var list: [Double] = []
        for step in 0..<20 {
          let batch = batch(step)
          let loss = try withMode(.training) {
            try optimizer.minimize { crossEntropy(model(batch.images), batch.labels) }
          }
          list.append(try loss.scalar())
        }
        losses.append(list)
      }
    }
    for (device, list) in zip(devices, losses).dropFirst() {
      let worst = zip(losses[0], list).map { abs($0 - $1) / abs($0) }.max() ?? 1
      print("DeviceAgreement: \(device.name), \(rule), worst relative difference of 20 losses \(worst)")
      #expect(worst < 1e-5, "\(device.name)")
    }
    // The model learns: the loss falls.
    #expect(losses[0][19] < losses[0][0])
  }

  /// The gradients of the devices differ from the CPU's by at most ten times the tolerance of a sum of `K` terms,
  /// `4·√K·2⁻²⁴·Σ|terms|`.
  @Test func gradientsOfTheFirstStep() throws {
    var gradients: [[[Float]]] = []
    for device in devices {
      try withDevice(device) { () throws in
        let model = try model(device)
        let batch = batches(device)(0)
        let parameters = model.state.parameters
        let (_, found) = withMode(.training) {
          valueAndGradients(of: parameters) { crossEntropy(model(batch.images), batch.labels) }
        }
        gradients.append(try found.tensors.map { try #require($0).array() })
      }
    }
    // The largest magnitude in a parameter's gradient stands for Σ|terms|, which is at least as large. K is the number
    // of terms of one element: the batch size times the number of output positions, which is 1 in a dense layer.
    let places = [28 * 28, 28 * 28, 10 * 10, 10 * 10, 1, 1, 1, 1, 1, 1]
    #expect(gradients[0].count == places.count)
    for (device, other) in zip(devices, gradients).dropFirst() {
      var worst: Float = 0
      for (index, count) in places.enumerated() {
        let largest = gradients[0][index].map(abs).max() ?? 0
        #expect(largest > 0)
        let difference = zip(gradients[0][index], other[index]).map { abs($0 - $1) }.max()! / largest
        let bound = 10 * 4 * Float(128 * count).squareRoot() * 0x1p-24
        #expect(difference <= bound, "\(device.name), parameter \(index)")
        worst = max(worst, difference)
      }
      print("DeviceAgreement: \(device.name), worst difference of a gradient relative to its tensor's largest \(worst)")
    }
  }
}
