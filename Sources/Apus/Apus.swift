@_exported import ApusData
@_exported import ApusModels
@_exported import ApusNN
@_exported import ApusReports
@_exported import ApusTensor
@_exported import ApusTraining
