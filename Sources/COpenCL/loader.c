#include "copencl.h"
