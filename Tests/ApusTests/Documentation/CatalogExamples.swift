import Apus
import Testing

/// The Swift examples that only the pages of the DocC catalogs have, word for word; `BookTests` compares both.
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
}
