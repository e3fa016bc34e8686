#pragma once
// Catch2 v2 (Debian 12) and v3 (elsewhere) behind one header.
#ifdef MILLRACE_CATCH2_V3
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
