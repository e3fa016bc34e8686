#pragma once
#include "agent/core/escape.h"
