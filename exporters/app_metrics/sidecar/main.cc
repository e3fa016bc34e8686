#include <string>
#include <vector>

#include "exporters/app_metrics/sidecar/command.h"

int main(int argc, char** argv) {
  return millrace::app_metrics::sidecar::Main(std::vector<std::string>(argv + 1, argv + argc));
}
