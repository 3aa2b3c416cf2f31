"""The language models that Apus has, in PyTorch, with the rates and sizes of their recipes."""

import torch
import torch.nn as nn


class CharLSTM(nn.Module):
    rate, batch, length = 2e-3, 32, 64

    def __init__(self, count, width=256, dropout=0.1):
        super().__init__()
        self.embedding = nn.Embedding(count, width)
        self.lstm = nn.LSTM(width, width, 2, batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(width, count)

    def forward(self, x):
        return self.output(self.dropout(self.lstm(self.embedding(x))[0]))


class CharTransformer(nn.Module):
    rate, batch, length = 1e-3, 16, 128

    def __init__(self, count, width=256, heads=8, depth=4):
        super().__init__()
        self.embedding = nn.Embedding(count, width)
        self.positions = nn.Parameter(torch.empty(self.length, width))
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.positions, std=0.02)

        def layer():
            return nn.TransformerEncoderLayer(
                width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )

        # nn.TransformerEncoder would copy one layer: all would start from the same values.
        self.layers = nn.ModuleList(layer() for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, count)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(self.length))

    def forward(self, x):
        x = self.embedding(x) + self.positions
        for layer in self.layers:
            x = layer(x, src_mask=self.mask, is_causal=True)
        return self.output(self.norm(x))


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    def __init__(self, inputs, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.downsample = None
        if stride != 1 or inputs != 4 * channels:
            convolution = nn.Conv2d(inputs, 4 * channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(4 * channels))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """ResNet-18 with torchvision's names, for images of 32 pixels unless told otherwise."""

    def __init__(self, classes=10, small=True, blocks=(2, 2, 2, 2), block=ResidualBlock):
        super().__init__()
        expansion = 4 if block is Bottleneck else 1
        self.small = small
        self.conv1 = nn.Conv2d(3, 64, *((3, 1, 1) if small else (7, 2, 3)), bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stage, count in enumerate(blocks):
            channels = 64 << stage
            layers = [block(inputs, channels, 2 if stage else 1)]
            inputs = channels * expansion
            layers += [block(inputs, channels, 1) for _ in range(count - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)

    def forward(self, x):
        x = torch.relu(self.bn1(self.conv1(x)))
        if not self.small:
            x = nn.functional.max_pool2d(x, 3, 2, 1)
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.fc(x.mean((2, 3)))


class DenseLayer(nn.Module):
    def __init__(self, inputs, growth, bottleneck):
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, bottleneck * growth, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(bottleneck * growth)
        self.conv2 = nn.Conv2d(bottleneck * growth, growth, 3, padding=1, bias=False)

    def forward(self, x):
        y = self.conv1(torch.relu(self.norm1(x)))
        return torch.cat([x, self.conv2(torch.relu(self.norm2(y)))], 1)


class DenseNet(nn.Module):
    """DenseNet with torchvision's names."""

    def __init__(self, layers=(6, 12, 24, 16), growth=32, width=64, bottleneck=4, classes=1000, small=False):
        super().__init__()
        features = nn.Sequential()
        features.add_module("conv0", nn.Conv2d(3, width, *((3, 1, 1) if small else (7, 2, 3)), bias=False))
        features.add_module("norm0", nn.BatchNorm2d(width))
        features.add_module("relu0", nn.ReLU())
        if not small:
            features.add_module("pool0", nn.MaxPool2d(3, 2, 1))
        channels = width
        for number, count in enumerate(layers, 1):
            block = nn.Sequential()
            for layer in range(count):
                block.add_module(f"denselayer{layer + 1}", DenseLayer(channels, growth, bottleneck))
                channels += growth
            features.add_module(f"denseblock{number}", block)
            if number < len(layers):
                transition = nn.Sequential()
                transition.add_module("norm", nn.BatchNorm2d(channels))
                transition.add_module("relu", nn.ReLU())
                transition.add_module("conv", nn.Conv2d(channels, channels // 2, 1, bias=False))
                transition.add_module("pool", nn.AvgPool2d(2))
                features.add_module(f"transition{number}", transition)
                channels //= 2
        features.add_module(f"norm{len(layers) + 1}", nn.BatchNorm2d(channels))
        self.features = features
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x):
        return self.classifier(torch.relu(self.features(x)).mean((2, 3)))


class VGG(nn.Module):
    """VGG-16 with torchvision's names, with normalization and for images of 32 pixels."""

    def __init__(self, classes=10, convolutions=(2, 2, 3, 3, 3)):
        super().__init__()
        layers, inputs = [], 3
        for count, outputs in zip(convolutions, (64, 128, 256, 512, 512)):
            for _ in range(count):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]
                inputs = outputs
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Linear(512, classes))

    def forward(self, x):
        return self.classifier(self.features(x).flatten(1))


class AlexNet(nn.Module):
    """AlexNet of one column, with torchvision's names, or of the two of 2012."""

    def __init__(self, classes=1000, dropout=0.5, columns=1):
        super().__init__()
        widths = (64, 192, 384, 256, 256) if columns == 1 else (96, 256, 384, 384, 256)
        groups = (1, 1, 1, 1, 1) if columns == 1 else (1, 2, 1, 2, 2)
        layers, inputs = [], 3
        for number, outputs in enumerate(widths):
            kernel, stride, padding = ((11, 4, 2), (5, 1, 2), (3, 1, 1))[min(number, 2)]
            layers += [nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups[number])]
            layers += [nn.ReLU(inplace=True)]
            if number < 2 and columns == 2:
                # The paper's sum of squares is five times PyTorch's mean.
                layers.append(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2))
            if number in (0, 1, 4):
                layers.append(nn.MaxPool2d(3, 2))
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            *(nn.Dropout(dropout), nn.Linear(256 * 6 * 6, 4096), nn.ReLU(inplace=True)),
            *(nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(inplace=True)),
            nn.Linear(4096, classes),
        )

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(self.features(x), 6)
        return self.classifier(x.flatten(1))
