import Apus
import Testing

/// The Swift examples that only the pages of the DocC catalogs have, word for word. `BookTests` compares them with the
/// pages.
@Suite struct CatalogExamples {
  @Test func loadingOfImages() throws {
    // example
    let data = try ImageDataset.load("synthetic", split: SplitOptions(validation: 0.1))
    let order = MinibatchOrder(count: data.train.labels.count, batchSize: 64, seed: 1)
    let options = ImageLoader.Options(
      imageSize: data.imageSize ?? [1, 28, 28], pipeline: try ImagePipeline(parsing: "flip, crop pad 2"), seed: 1)
    let loader = ImageLoader(data.train, batches: order.epoch(0), epoch: 0, options: options)
    var count = 0
    while let batch = try loader.next() { count += batch.count }
    print(count, data.classNames)
    // end
    #expect(count == data.train.labels.count && data.validation != nil)
  }

  @Test func measuresOfAClassifier() throws {
    // example
    let logits: [Float] = [2, 0, 0, 1, 3, 1, 1, 0, 0.5]  // [example, class]
    let results = try ClassificationResults(logits: logits, classes: 3, labels: [0, 1, 2])
    print(results.accuracy, results.confusion[2, 0])
    // end
    #expect(results.accuracy == 2.0 / 3 && results.confusion[2, 0] == 1)
  }
}
