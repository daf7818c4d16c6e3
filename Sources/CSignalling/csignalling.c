#include "csignalling.h"
