import Apus

/// One option of a training run: its declaration and the setting that the option determines. The parser, `--set`,
/// `--config`, `config.json`, the help, the completions and the manual page are derived from it.
package struct RunOption: Sendable {
  /// The topic of an option. It determines for which models and data the option may be given.
  enum Topic: Sendable { case run, data, table, image, text }

  package let declaration: Declaration
  private(set) var topic = Topic.run
  /// Whether a resumed run may have another value.
  private(set) var mayChange = false
  /// Changes the setting if the option is given.
  let apply: @Sendable (Arguments, inout RunSettings) throws -> Void
  /// The member of `config.json`; `nil` for none.
  let json: @Sendable (RunSettings) -> JSON?

  init(
    _ declaration: Declaration, apply: @escaping @Sendable (Arguments, inout RunSettings) throws -> Void,
    json: @escaping @Sendable (RunSettings) -> JSON?
  ) {
    (self.declaration, self.apply, self.json) = (declaration, apply, json)
  }

  /// A setting that always has a value. A value equal to `omitted` is not stored, unless the model's recipe has a value
  /// for the option: this value would replace a setting that is not stored.
  init<Value: OptionValue>(
    _ option: Option<Value>, _ path: any WritableKeyPath<RunSettings, Value> & Sendable, unless omitted: Value? = nil
  ) {
    let key = option.declaration.key
    self.init(option.declaration) { arguments, settings in
      if let value = arguments[option] { settings[keyPath: path] = value }
    } json: { settings in
      let value = settings[keyPath: path]
      // In this context, `nil` alone would be `JSON.null`.
      return value == omitted && !settings.hasRecipeValue(key) ? JSON?.none : value.json
    }
  }

  /// A setting that may have no value.
  init<Value: OptionValue>(_ option: Option<Value>, _ path: any WritableKeyPath<RunSettings, Value?> & Sendable) {
    self.init(option.declaration) { arguments, settings in
      if let value = arguments[option] { settings[keyPath: path] = value }
    } json: { settings in
      settings[keyPath: path]?.json
    }
  }

  /// A setting that is off unless the flag is given.
  init(_ flag: Flag, _ path: any WritableKeyPath<RunSettings, Bool> & Sendable) {
    let key = flag.declaration.key
    self.init(flag.declaration) { arguments, settings in
      if arguments.contains(flag.declaration) { settings[keyPath: path] = arguments[flag] }
    } json: { settings in
      let isOn = settings[keyPath: path]
      return isOn || settings.hasRecipeValue(key) ? JSON.bool(isOn) : JSON?.none
    }
  }

  /// A setting that `parse` makes from the option's text.
  /// - Parameters:
  ///   - text: The inverse of `parse`. It returns `nil` for a setting that need not be stored.
  ///   - none: The text to store where `text` returns `nil`, if the model's recipe has a value for the option: this
  ///     value would replace a setting that is not stored.
  init<Setting>(
    _ option: Option<String>, _ path: any WritableKeyPath<RunSettings, Setting> & Sendable,
    parse: @escaping @Sendable (String) throws -> Setting, text: @escaping @Sendable (Setting) -> String?,
    none: String? = nil
  ) {
    let key = option.declaration.key
    self.init(option.declaration) { arguments, settings in
      if let value = arguments[option] { settings[keyPath: path] = try parse(value) }
    } json: { settings in
      let word = text(settings[keyPath: path]) ?? (settings.hasRecipeValue(key) ? none : String?.none)
      return word.map { .string($0) }
    }
  }

  /// The option, marked as one that a resumed run may change, such as the length of the run or the device.
  var changeable: RunOption {
    var option = self
    option.mayChange = true
    return option
  }

  func about(_ topic: Topic) -> RunOption {
    var option = self
    option.topic = topic
    return option
  }
}

extension RunOption.Topic {
  /// Why an option of the topic cannot be given for the settings; `nil` if it can.
  func refusal(_ settings: RunSettings) throws -> String? {
    let model = settings.model.name
    let takesText = settings.text != nil
    switch self {
    case .run: return nil
    case .data: return takesText ? "is for images and tables, but \(model) takes text" : nil
    case .text: return takesText ? nil : "is for models of text, but \(model) takes images"
    case .image:
      if takesText { return "is for models of images, but \(model) takes text" }
      return settings.isTable ? "is for images, but \(settings.data) is a table" : nil
    case .table:
      if settings.isTable { return nil }
      // For an unknown source, `find` throws.
      return
        "is for tables, but \(settings.data) is \(try DatasetDescription.find(settings.data).description.contentName)"
    }
  }
}

/// A type whose values `config.json` can store.
package protocol OptionValue: Equatable, Sendable {
  var json: JSON { get }
}

extension Int: OptionValue { package var json: JSON { .integer(self) } }
extension UInt64: OptionValue { package var json: JSON { .integer(Int(self)) } }
extension Double: OptionValue { package var json: JSON { .number(self) } }
extension String: OptionValue { package var json: JSON { .string(self) } }
extension Set<String>: OptionValue { package var json: JSON { .string(sorted().joined(separator: ",")) } }

extension OptionValue where Self: RawRepresentable<String> {
  package var json: JSON { .string(rawValue) }
}

extension Double {
  /// The number as JSON: an integer if it has no fraction.
  var shortestJSON: JSON { self == rounded() && magnitude < 0x1p53 ? .integer(Int(self)) : .number(self) }
}

extension BatchSize: OptionValue {}
extension DataInitialization: OptionValue {}
extension ClassWeighting: OptionValue {}
extension ClassSampling: OptionValue {}
extension ImageStem: OptionValue {}
extension TestTimeAugmentation: OptionValue {}
extension TableTask.Kind: OptionValue {}
extension TableEncoding.Scaling: OptionValue {}
extension TableEncoding.Imputation: OptionValue {}
extension TableEncoding.Categories: OptionValue {}
