// Group config: the plugin's options.
#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/probe.hpp"

namespace hostmesh::conformance {

namespace {

void instance(Stage& stage) {
  Probe probe(stage);
}

void documented(Stage& stage) {
  stage.expect(!stage.plugin().summary.empty(), "the plugin says in one sentence what it does",
               "its summary is empty");
  for (const OptionDescription& option : stage.plugin().options) {
    stage.expect(!option.doc.empty(), "every option says what it is for",
                 "the doc of option '" + option.key + "' is empty");
  }
}

}  // namespace

const std::vector<Case>& config_cases() {
  static const std::vector<Case> cases = {
      {.id = "config.instance",
       .sentence = "An instance can be made with the options that were given and the defaults of all others.",
       .rule = "abi.h, create",
       .run = instance},
      {.id = "config.documented",
       .sentence = "The plugin and each of its options say in a sentence what they are for.",
       .level = Level::kShould,
       .rule = "abi.h, hostmesh_option::doc",
       .run = documented},
  };
  return cases;
}

}  // namespace hostmesh::conformance
