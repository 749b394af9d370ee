// verify_cp: a layer on several ranks beside one. See verify_cp --help.
#include "tools/verify_cp/verify_cp_program.h"

int main(int argc, char** argv) {
  return crocuta::verify_cp(argc, argv);
}
