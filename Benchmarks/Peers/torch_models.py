"""Apus's models, written in PyTorch. The language models have the learning rates, batch sizes and sequence lengths of
their recipes as attributes."""

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

        # nn.TransformerEncoder would copy one layer, so that all layers would start with the same values.
        self.layers = nn.ModuleList(layer() for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        self.output = nn.Linear(width, count)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(self.length))

    def forward(self, x):
        x = self.embedding(x) + self.positions
        for layer in self.layers:
            x = layer(x, src_mask=self.mask, is_causal=True)
        return self.output(self.norm(x))


class SqueezeExcitation(nn.Module):
    """Multiplies channels by factors that are computed from the input. Parameters have torchvision's names."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        squeezed = max(channels // reduction, 1)
        self.fc1 = nn.Conv2d(channels, squeezed, 1)
        self.fc2 = nn.Conv2d(squeezed, channels, 1)

    def factors(self, x):
        return torch.sigmoid(self.fc2(torch.relu(self.fc1(x.mean((2, 3), keepdim=True)))))

    def forward(self, x):
        return x * self.factors(x)


class CBAM(nn.Module):
    """Multiplies channels, then pixels, by factors that are computed from the input. Parameters have the names in the
    authors' code (https://github.com/Jongchan/attention-module)."""

    def __init__(self, channels, reduction=16):
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.ChannelGate = nn.Module()
        self.ChannelGate.mlp = nn.Sequential(
            nn.Flatten(), nn.Linear(channels, hidden), nn.ReLU(), nn.Linear(hidden, channels)
        )
        self.SpatialGate = nn.Module()
        self.SpatialGate.spatial = nn.Module()
        self.SpatialGate.spatial.conv = nn.Conv2d(2, 1, 7, padding=3, bias=False)
        self.SpatialGate.spatial.bn = nn.BatchNorm2d(1, momentum=0.01)

    def factors(self, x):
        mlp, spatial = self.ChannelGate.mlp, self.SpatialGate.spatial
        channels = torch.sigmoid(mlp(x.mean((2, 3))) + mlp(x.amax((2, 3))))[:, :, None, None]
        y = x * channels
        both = torch.cat([y.amax(1, keepdim=True), y.mean(1, keepdim=True)], 1)
        return channels, torch.sigmoid(spatial.bn(spatial.conv(both)))

    def forward(self, x):
        channels, pixels = self.factors(x)
        return x * channels * pixels


def add_attention(block, attention, channels):
    """Adds the module `se` or `cbam` to a block, unless `attention` is None. Returns the function that applies it."""
    if attention is None:
        return lambda block, y: y
    setattr(block, attention, {"se": SqueezeExcitation, "cbam": CBAM}[attention](channels))
    return lambda block, y: getattr(block, attention)(y)


class ResidualBlock(nn.Module):
    def __init__(self, inputs, outputs, stride, attention=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.attention = add_attention(self, attention, outputs)
        self.downsample = None
        if stride != 1 or inputs != outputs:
            convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = self.attention(self, self.bn2(self.conv2(y)))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class Bottleneck(nn.Module):
    def __init__(self, inputs, channels, stride, attention=None):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = nn.Conv2d(channels, 4 * channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * channels)
        self.attention = add_attention(self, attention, 4 * channels)
        self.downsample = None
        if stride != 1 or inputs != 4 * channels:
            convolution = nn.Conv2d(inputs, 4 * channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(convolution, nn.BatchNorm2d(4 * channels))

    def forward(self, x):
        y = torch.relu(self.bn1(self.conv1(x)))
        y = torch.relu(self.bn2(self.conv2(y)))
        y = self.attention(self, self.bn3(self.conv3(y)))
        return torch.relu(y + (x if self.downsample is None else self.downsample(x)))


class ResNet(nn.Module):
    """ResNet with torchvision's names. Default: ResNet-18 for images of 32x32 pixels."""

    def __init__(self, classes=10, small=True, blocks=(2, 2, 2, 2), block=ResidualBlock, attention=None, channels=3):
        super().__init__()
        expansion = 4 if block is Bottleneck else 1
        self.small = small
        self.conv1 = nn.Conv2d(channels, 64, *((3, 1, 1) if small else (7, 2, 3)), bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        inputs = 64
        for stage, count in enumerate(blocks):
            channels = 64 << stage
            layers = [block(inputs, channels, 2 if stage else 1, attention)]
            inputs = channels * expansion
            layers += [block(inputs, channels, 1, attention) for _ in range(count - 1)]
            setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))
        self.fc = nn.Linear(inputs, classes)
        # The initialization of torchvision's ResNet. As in Apus, the biases of SqueezeExcitation and CBAM and the
        # weight of CBAM's batch norm start at 0.
        for name, module in self.named_modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, (SqueezeExcitation, CBAM)):
                for key, value in module.named_parameters():
                    if key.endswith("bias") or key.endswith("spatial.bn.weight"):
                        nn.init.zeros_(value)

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

    def __init__(
        self, layers=(6, 12, 24, 16), growth=32, width=64, bottleneck=4, classes=1000, small=False, channels=3
    ):
        super().__init__()
        features = nn.Sequential()
        features.add_module("conv0", nn.Conv2d(channels, width, *((3, 1, 1) if small else (7, 2, 3)), bias=False))
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
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
        nn.init.zeros_(self.classifier.bias)

    def forward(self, x):
        return self.classifier(torch.relu(self.features(x)).mean((2, 3)))


class VGG(nn.Module):
    """VGG with torchvision's names. Default: VGG-16 with batch normalization, for images of 32x32 pixels."""

    def __init__(self, classes=10, convolutions=(2, 2, 3, 3, 3), small=True, normalized=True, dropout=0.5, channels=3):
        super().__init__()
        layers, inputs = [], channels
        for count, outputs in zip(convolutions, (64, 128, 256, 512, 512)):
            for _ in range(count):
                layers += [nn.Conv2d(inputs, outputs, 3, padding=1)]
                layers += [nn.BatchNorm2d(outputs)] if normalized else []
                layers += [nn.ReLU(inplace=True)]
                inputs = outputs
            layers.append(nn.MaxPool2d(2, ceil_mode=small))
        self.features = nn.Sequential(*layers)
        self.pixels = 1 if small else 7
        self.classifier = nn.Sequential(nn.Linear(512, classes))
        if not small:
            self.classifier = nn.Sequential(
                *(nn.Linear(512 * 7 * 7, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout)),
                *(nn.Linear(4096, 4096), nn.ReLU(inplace=True), nn.Dropout(dropout)),
                nn.Linear(4096, classes),
            )
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=0.01)
                nn.init.zeros_(module.bias)

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(self.features(x), self.pixels)
        return self.classifier(x.flatten(1))


class AlexNet(nn.Module):
    """AlexNet with one column and torchvision's names, or with the two columns of the 2012 paper."""

    def __init__(self, classes=1000, dropout=0.5, columns=1, small=False, channels=3):
        super().__init__()
        widths = (64, 192, 384, 256, 256) if columns == 1 else (96, 256, 384, 384, 256)
        groups = (1, 1, 1, 1, 1) if columns == 1 else (1, 2, 1, 2, 2)
        layers, inputs = [], channels
        for number, outputs in enumerate(widths):
            kernel, stride, padding = (3, 1, 1) if small else ((11, 4, 2), (5, 1, 2), (3, 1, 1))[min(number, 2)]
            layers += [nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups[number])]
            layers += [nn.ReLU(inplace=True)]
            if number < 2 and columns == 2:
                # The paper sums the squares of five channels and PyTorch averages them, so alpha is five times the
                # paper's.
                layers.append(nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2))
            if number in (0, 1, 4):
                layers.append(nn.MaxPool2d(2) if small else nn.MaxPool2d(3, 2))
            inputs = outputs
        self.features = nn.Sequential(*layers)
        self.side = 2 if small else 6
        self.classifier = nn.Sequential(
            *(nn.Dropout(dropout), nn.Linear(256 * self.side * self.side, 4096), nn.ReLU(inplace=True)),
            *(nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(inplace=True)),
            nn.Linear(4096, classes),
        )

    def forward(self, x):
        x = nn.functional.adaptive_avg_pool2d(self.features(x), self.side)
        return self.classifier(x.flatten(1))


class VisionBlock(nn.Module):
    def __init__(self, width, heads, hidden, dropout):
        super().__init__()
        self.ln_1 = nn.LayerNorm(width, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            *(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout)),
            *(nn.Linear(hidden, width), nn.Dropout(dropout)),
        )
        for number in (0, 3):
            nn.init.xavier_uniform_(self.mlp[number].weight)
            nn.init.normal_(self.mlp[number].bias, std=1e-6)

    def weights(self, x):
        y = self.ln_1(x)
        return self.self_attention(y, y, y, average_attn_weights=False)[1]

    def forward(self, x):
        y = self.ln_1(x)
        x = x + self.dropout(self.self_attention(y, y, y, need_weights=False)[0])
        return x + self.mlp(self.ln_2(x))


class VisionTransformer(nn.Module):
    """Vision Transformer with torchvision's names. Default: ViT-B/16."""

    def __init__(
        self, classes=1000, size=224, patch=16, width=768, depth=12, heads=12, hidden=None, dropout=0.0, channels=3
    ):
        super().__init__()
        self.class_token = nn.Parameter(torch.zeros(1, 1, width))
        self.conv_proj = nn.Conv2d(channels, width, patch, patch)
        self.encoder = nn.Module()
        tokens = (size // patch) ** 2 + 1
        self.encoder.pos_embedding = nn.Parameter(torch.empty(1, tokens, width).normal_(std=0.02))
        self.encoder.dropout = nn.Dropout(dropout)
        self.encoder.layers = nn.Sequential()
        for number in range(depth):
            block = VisionBlock(width, heads, hidden or 4 * width, dropout)
            self.encoder.layers.add_module(f"encoder_layer_{number}", block)
        self.encoder.ln = nn.LayerNorm(width, eps=1e-6)
        self.heads = nn.Sequential()
        self.heads.add_module("head", nn.Linear(width, classes))
        nn.init.trunc_normal_(self.conv_proj.weight, std=(channels * patch * patch) ** -0.5)
        for value in (self.conv_proj.bias, self.heads.head.weight, self.heads.head.bias):
            nn.init.zeros_(value)

    def tokens(self, x):
        x = self.conv_proj(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.class_token.expand(len(x), -1, -1), x], 1)
        return self.encoder.dropout(x + self.encoder.pos_embedding)

    def forward(self, x):
        return self.heads(self.encoder.ln(self.encoder.layers(self.tokens(x)))[:, 0])
